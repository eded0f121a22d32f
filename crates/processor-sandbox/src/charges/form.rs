//! The form of a charge, parsed where it enters.

use std::collections::BTreeMap;

use crate::{
    answer::ProcessorError,
    card_number::{is_card_field, looks_like_card_number},
    tokens::TestToken,
};

/// The processor's own limits.
const MAX_AMOUNT: i64 = 99_999_999;
const MAX_METADATA: usize = 50;

/// A charge that was asked for, in the processor's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChargeRequest {
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) source: TestToken,
    pub(super) description: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl ChargeRequest {
    /// Reads the form. Card data is refused before anything else is looked at.
    pub(crate) fn parse(form: Vec<(String, String)>) -> Result<Self, ProcessorError> {
        if let Some((name, _)) = form
            .iter()
            .find(|(name, value)| is_card_field(name) || looks_like_card_number(value))
        {
            return Err(ProcessorError::invalid(
                "card_data_refused",
                name.as_str(),
                "Sending card numbers directly to this API is not allowed. Send a token such as tok_visa as `source`.",
            ));
        }
        let (mut amount, mut currency, mut source, mut description) = (None, None, None, None);
        let mut metadata = BTreeMap::new();
        for (name, value) in form {
            match name.as_str() {
                "amount" => amount = Some(read_amount(&value)?),
                "currency" => currency = Some(read_currency(&value)?),
                "source" => source = Some(read_source(&value, "source")?),
                "description" => description = Some(value),
                name => match name
                    .strip_prefix("metadata[")
                    .and_then(|rest| rest.strip_suffix(']'))
                {
                    Some(key) if metadata.len() < MAX_METADATA => {
                        metadata.insert(key.to_owned(), value);
                    }
                    Some(_) => {
                        return Err(ProcessorError::invalid(
                            "parameter_invalid",
                            "metadata",
                            format!("You can have up to {MAX_METADATA} metadata keys."),
                        ));
                    }
                    None => {
                        return Err(ProcessorError::invalid(
                            "parameter_unknown",
                            name,
                            format!("Received unknown parameter: {name}"),
                        ));
                    }
                },
            }
        }
        let missing = |name: &str| {
            ProcessorError::invalid(
                "parameter_missing",
                name,
                format!("Missing required param: {name}."),
            )
        };
        Ok(Self {
            amount: amount.ok_or_else(|| missing("amount"))?,
            currency: currency.ok_or_else(|| missing("currency"))?,
            source: source.ok_or_else(|| missing("source"))?,
            description,
            metadata,
        })
    }
}

fn read_amount(value: &str) -> Result<i64, ProcessorError> {
    match value.parse() {
        Ok(amount) if (1..=MAX_AMOUNT).contains(&amount) => Ok(amount),
        Ok(amount) if amount > MAX_AMOUNT => Err(ProcessorError::invalid(
            "amount_too_large",
            "amount",
            format!("Amount must be no more than {MAX_AMOUNT}."),
        )),
        _ => Err(ProcessorError::invalid(
            "parameter_invalid_integer",
            "amount",
            "Amount must be a positive integer in the smallest unit of the currency.",
        )),
    }
}

fn read_currency(value: &str) -> Result<String, ProcessorError> {
    let currency = value.to_ascii_lowercase();
    match currency.as_str() {
        "eur" | "usd" | "gbp" | "jpy" => Ok(currency),
        _ => Err(ProcessorError::invalid(
            "parameter_invalid",
            "currency",
            "Invalid currency. This account takes: eur, usd, gbp, jpy.",
        )),
    }
}

/// The card behind a token.
pub(crate) fn read_source(token: &str, param: &str) -> Result<TestToken, ProcessorError> {
    TestToken::parse(token).ok_or_else(|| {
        let known = TestToken::ALL.map(|(name, _)| name).join(", ");
        ProcessorError::invalid(
            "resource_missing",
            param,
            format!("No such token. The test tokens are: {known}."),
        )
    })
}
