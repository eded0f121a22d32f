//! Percent-encoding, as `baggage` and `OTEL_RESOURCE_ATTRIBUTES` use it.

/// Decodes `%41` to `A`; `None` if a percent sign is not followed by two hex digits or
/// the result is not UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(hex::decode(digits).ok()?[0]);
            rest = after;
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn what_is_well_formed_is_decoded() {
        assert_eq!(decoded("a%2Cb%20%c3%a4").as_deref(), Some("a,b ä"));
        assert_eq!(decoded("").as_deref(), Some(""));
    }

    #[test]
    fn what_is_not_is_refused() {
        for text in ["%", "%4", "%zz", "%ff", "100%"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
