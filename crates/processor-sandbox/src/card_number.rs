//! What looks like a card number is refused: a shop that sends one here would send it to the
//! real processor, too.

/// Whether a form field is meant for card data, whatever stands in it.
pub(crate) fn is_card_field(name: &str) -> bool {
    ["card", "source", "payment_method_data"]
        .iter()
        .any(|field| {
            name.strip_prefix(field)
                .is_some_and(|rest| rest.starts_with('['))
        })
        || ["number", "cvc", "cvv"].contains(&name)
}

/// Whether a value is 12 to 19 digits, in groups or not, whose check digit is right.
pub(crate) fn looks_like_card_number(value: &str) -> bool {
    let mut digits = Vec::with_capacity(19);
    for character in value.chars() {
        match character.to_digit(10) {
            Some(digit) => digits.push(digit),
            None if matches!(character, ' ' | '-') => {}
            None => return false,
        }
    }
    (12..=19).contains(&digits.len()) && luhn(&digits)
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_known_by_their_check_digit() {
        for number in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "5555-5555-5555-4444",
            "378282246310005",
        ] {
            assert!(looks_like_card_number(number), "{number}");
        }
        for other in [
            "4242424242424241",
            "tok_visa",
            "1999",
            "",
            "0192f7a5-3c4d-7e8f-9a0b-1c2d3e4f5a6b",
        ] {
            assert!(!looks_like_card_number(other), "{other}");
        }
    }

    #[test]
    fn fields_for_card_data_are_known_by_their_name() {
        for field in [
            "card[number]",
            "source[number]",
            "card[cvc]",
            "payment_method_data[card][number]",
            "number",
        ] {
            assert!(is_card_field(field), "{field}");
        }
        for field in ["source", "metadata[order_id]", "amount", "cardholder"] {
            assert!(!is_card_field(field), "{field}");
        }
    }
}
