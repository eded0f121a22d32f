//! The price rules, pure: prices and rules in, line totals out, money in minor units.
//!
//! Rounding, written down once: a discount is rounded down to a whole minor unit for each
//! line, so that the shop never gives away more than the rule says.

use contracts::{
    ids::Sku,
    inventory::Line,
    money::{Currency, Money, MoneyError},
};

/// A condition and an adjustment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PriceRule {
    pub(crate) priority: i32,
    /// `None`: every item.
    pub(crate) sku: Option<Sku>,
    pub(crate) min_quantity: i64,
    /// Hundredths of a percent off, 0 to 10,000.
    pub(crate) basis_points: i32,
}

impl PriceRule {
    fn applies_to(&self, line: &Line) -> bool {
        self.sku.as_ref().is_none_or(|sku| *sku == line.sku)
            && i64::from(line.quantity) >= self.min_quantity
    }
}

/// A line with its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PricedLine {
    pub(crate) line: Line,
    pub(crate) unit_price: Money,
    pub(crate) discount: Money,
    pub(crate) total: Money,
}

/// Prices one line: the first rule by priority that applies, or the list price.
pub(crate) fn price_line(
    line: &Line,
    unit_price: Money,
    rules: &[PriceRule],
) -> Result<PricedLine, MoneyError> {
    let list_total = unit_price.checked_mul(line.quantity)?;
    let basis_points = rules
        .iter()
        .filter(|rule| rule.applies_to(line))
        .min_by_key(|rule| rule.priority)
        .map_or(0, |rule| rule.basis_points);
    let off = i128::from(list_total.amount_minor) * i128::from(basis_points) / 10_000;
    let off = i64::try_from(off).map_err(|_| MoneyError::Overflow)?;
    Ok(PricedLine {
        line: line.clone(),
        unit_price,
        discount: Money::new(off, list_total.currency),
        total: Money::new(list_total.amount_minor - off, list_total.currency),
    })
}

/// What a cart costs: the sums of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) subtotal: Money,
    pub(crate) discount: Money,
    pub(crate) total: Money,
}

/// Adds up the lines of a cart.
pub(crate) fn add_up(lines: &[PricedLine], currency: Currency) -> Result<Totals, MoneyError> {
    let zero = Money::new(0, currency);
    let discount = lines
        .iter()
        .try_fold(zero, |sum, line| sum.checked_add(line.discount))?;
    let total = lines
        .iter()
        .try_fold(zero, |sum, line| sum.checked_add(line.total))?;
    Ok(Totals {
        subtotal: total.checked_add(discount)?,
        discount,
        total,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(sku: &str, quantity: u32) -> Line {
        Line {
            sku: sku.parse().unwrap(),
            quantity,
        }
    }

    fn euro(minor: i64) -> Money {
        Money::new(minor, Currency::Eur)
    }

    fn rule(priority: i32, sku: Option<&str>, min_quantity: i64, basis_points: i32) -> PriceRule {
        PriceRule {
            priority,
            sku: sku.map(|sku| sku.parse().unwrap()),
            min_quantity,
            basis_points,
        }
    }

    fn check(quantity: u32, unit_minor: i64, rules: &[PriceRule], expected_total: i64) {
        let priced = price_line(&line("item_42", quantity), euro(unit_minor), rules).unwrap();
        assert_eq!(priced.total, euro(expected_total));
    }

    #[test]
    fn without_a_rule_the_list_price_counts() {
        check(3, 1999, &[], 5997);
    }

    #[test]
    fn a_rule_needs_its_item_and_its_quantity() {
        let rules = [rule(1, Some("item_42"), 10, 1000)];
        check(9, 100, &rules, 900);
        check(10, 100, &rules, 900);
        check(10, 100, &[rule(1, Some("item_7"), 1, 1000)], 1000);
    }

    #[test]
    fn the_rule_with_the_lowest_number_wins() {
        check(
            1,
            1000,
            &[rule(2, None, 1, 5000), rule(1, None, 1, 1000)],
            900,
        );
    }

    #[test]
    fn a_discount_is_rounded_down() {
        check(1, 99, &[rule(1, None, 1, 1500)], 85); // 14.85 off is 14 off.
    }

    prop_compose! {
        fn any_rule()(priority in 0..5, all in any::<bool>(), min_quantity in 1_i64..20, basis_points in 0..=10_000) -> PriceRule {
            rule(priority, (!all).then_some("item_42"), min_quantity, basis_points)
        }
    }

    proptest! {
        #[test]
        fn a_total_is_between_nothing_and_the_list_price(
            quantity in 1_u32..=10_000, unit in 0_i64..10_000_000, rules in prop::collection::vec(any_rule(), 0..6),
        ) {
            let priced = price_line(&line("item_42", quantity), euro(unit), &rules).unwrap();
            let list = unit * i64::from(quantity);
            prop_assert!((0..=list).contains(&priced.total.amount_minor));
            prop_assert_eq!(priced.total.amount_minor + priced.discount.amount_minor, list);
        }

        #[test]
        fn the_order_of_the_rules_in_the_table_does_not_matter(
            quantity in 1_u32..100, rules in prop::collection::vec(any_rule(), 0..6).prop_shuffle(),
        ) {
            // Equal priorities are kept apart, as their order in the table is no order.
            let mut rules = rules;
            for (n, rule) in rules.iter_mut().enumerate() {
                rule.priority = rule.priority * 100 + i32::try_from(n).unwrap();
            }
            let mut reversed = rules.clone();
            reversed.reverse();
            let cart_line = line("item_42", quantity);
            prop_assert_eq!(price_line(&cart_line, euro(999), &rules), price_line(&cart_line, euro(999), &reversed));
        }

        #[test]
        fn the_quote_of_a_cart_is_the_sum_of_the_quotes_of_its_lines(
            carts in prop::collection::vec((1_u32..1_000, 0_i64..1_000_000), 1..20), rules in prop::collection::vec(any_rule(), 0..4),
        ) {
            let lines: Vec<PricedLine> = carts.iter().enumerate()
                .map(|(n, (quantity, unit))| price_line(&line(&format!("item_{n}"), *quantity), euro(*unit), &rules).unwrap())
                .collect();
            let whole = add_up(&lines, Currency::Eur).unwrap();
            let (left, right) = lines.split_at(lines.len() / 2);
            let parts = add_up(left, Currency::Eur).unwrap().total
                .checked_add(add_up(right, Currency::Eur).unwrap().total).unwrap();
            prop_assert_eq!(whole.total, parts);
            prop_assert_eq!(whole.subtotal, whole.total.checked_add(whole.discount).unwrap());
        }

        #[test]
        fn no_price_and_no_quantity_panics(quantity in any::<u32>(), unit in any::<i64>(), rule in any_rule()) {
            let _ = price_line(&line("item_42", quantity), euro(unit), &[rule]);
        }
    }
}
