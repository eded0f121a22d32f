//! Money in minor units: never a floating point number, never two currencies in one sum.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// ISO 4217 currencies that the shop sells in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Euro, two decimal places.
    Eur,
    /// US dollar, two decimal places.
    Usd,
    /// Pound sterling, two decimal places.
    Gbp,
    /// Yen, no decimal places.
    Jpy,
}

impl Currency {
    /// The three letters of ISO 4217.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Eur => "EUR",
            Self::Usd => "USD",
            Self::Gbp => "GBP",
            Self::Jpy => "JPY",
        }
    }

    /// How many decimal places the minor unit stands for.
    #[must_use]
    pub const fn exponent(self) -> u32 {
        match self {
            Self::Eur | Self::Usd | Self::Gbp => 2,
            Self::Jpy => 0,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A currency code that the shop does not sell in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a currency of this shop; use EUR, USD, GBP or JPY")]
pub struct UnknownCurrency(pub String);

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        match code {
            "EUR" => Ok(Self::Eur),
            "USD" => Ok(Self::Usd),
            "GBP" => Ok(Self::Gbp),
            "JPY" => Ok(Self::Jpy),
            other => Err(UnknownCurrency(other.to_owned())),
        }
    }
}

/// An amount in minor units, for example cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// Minor units: 1999 is 19.99 in a currency with two decimal places.
    pub amount_minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
}

/// A sum that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The amount does not fit into 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// Two currencies were added.
    #[error("cannot add {0} and {1}")]
    CurrencyMismatch(Currency, Currency),
}

impl Money {
    /// An amount in minor units.
    #[must_use]
    pub const fn new(amount_minor: i64, currency: Currency) -> Self {
        Self {
            amount_minor,
            currency,
        }
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError`] for two currencies, or a sum that does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        let amount_minor = self
            .amount_minor
            .checked_add(other.amount_minor)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self::new(amount_minor, self.currency))
    }

    /// The amount, `quantity` times.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for an amount that does not fit.
    pub fn checked_mul(self, quantity: u32) -> Result<Self, MoneyError> {
        let amount_minor = self
            .amount_minor
            .checked_mul(i64::from(quantity))
            .ok_or(MoneyError::Overflow)?;
        Ok(Self::new(amount_minor, self.currency))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(self.currency.exponent());
        let sign = if self.amount_minor < 0 { "-" } else { "" };
        let minor = self.amount_minor.unsigned_abs();
        if unit == 1 {
            write!(f, "{sign}{minor} {}", self.currency)
        } else {
            let width = self.currency.exponent() as usize;
            write!(
                f,
                "{sign}{}.{:0width$} {}",
                minor / unit,
                minor % unit,
                self.currency
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_show_with_the_decimal_places_of_their_currency() {
        assert_eq!(Money::new(1999, Currency::Eur).to_string(), "19.99 EUR");
        assert_eq!(Money::new(-5, Currency::Usd).to_string(), "-0.05 USD");
        assert_eq!(Money::new(500, Currency::Jpy).to_string(), "500 JPY");
    }

    #[test]
    fn two_currencies_do_not_add_up() {
        let mismatch = Money::new(1, Currency::Eur).checked_add(Money::new(1, Currency::Usd));
        assert_eq!(
            mismatch,
            Err(MoneyError::CurrencyMismatch(Currency::Eur, Currency::Usd))
        );
    }

    proptest! {
        #[test]
        fn n_times_an_amount_is_the_amount_added_n_times(minor in -1_000_000_i64..1_000_000, n in 0_u32..50) {
            let amount = Money::new(minor, Currency::Eur);
            let added = (0..n).try_fold(Money::new(0, Currency::Eur), |sum, _| sum.checked_add(amount));
            prop_assert_eq!(amount.checked_mul(n), added);
        }

        #[test]
        fn arithmetic_never_wraps_or_panics(a in any::<i64>(), b in any::<i64>(), n in any::<u32>()) {
            let _ = Money::new(a, Currency::Eur).checked_add(Money::new(b, Currency::Eur));
            let _ = Money::new(a, Currency::Eur).checked_mul(n);
            let _ = Money::new(a, Currency::Eur).to_string();
        }
    }
}
