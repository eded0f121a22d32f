//! The processor's answers: a status and a body in, what they mean for a purchase out.

use http::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};

use super::{ProcessorError, Risk};
use crate::charge::ChargeOutcome;

/// Codes end up in the books and in answers; a longer one is no code.
const MAX_CODE: usize = 64;

#[derive(Deserialize)]
struct Assessment {
    level: Level,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Normal,
    Elevated,
    Highest,
}

#[derive(Deserialize)]
struct Charge {
    id: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    r#type: String,
    code: Option<String>,
    decline_code: Option<String>,
}

impl Reason {
    /// The token stands for no card of the processor.
    fn is_unknown_card(&self) -> bool {
        self.r#type == "invalid_request_error" && self.code.as_deref() == Some("resource_missing")
    }

    /// The most exact of the codes that say why a card was declined.
    fn decline_code(self) -> String {
        self.decline_code
            .or(self.code)
            .filter(|code| is_code(code))
            .unwrap_or_else(|| "generic_decline".to_owned())
    }
}

fn is_code(code: &str) -> bool {
    (1..=MAX_CODE).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

pub(super) fn read_risk(status: StatusCode, body: &[u8]) -> Result<Risk, ProcessorError> {
    if status.is_success() {
        return Ok(match read::<Assessment>(status, body)?.level {
            Level::Normal => Risk::Normal,
            Level::Elevated => Risk::Elevated,
            Level::Highest => Risk::Highest,
        });
    }
    match reason(status, body)? {
        reason if reason.is_unknown_card() => Ok(Risk::UnknownCard),
        _ => Err(ProcessorError::Refused(status)),
    }
}

pub(super) fn read_charge(
    status: StatusCode,
    body: &[u8],
) -> Result<ChargeOutcome, ProcessorError> {
    if status.is_success() {
        let charge: Charge = read(status, body)?;
        return Ok(ChargeOutcome::Captured {
            processor_charge_id: charge.id,
        });
    }
    let reason = reason(status, body)?;
    match reason.r#type.as_str() {
        "card_error" => Ok(ChargeOutcome::Declined {
            decline_code: reason.decline_code(),
        }),
        "idempotency_error" if status == StatusCode::CONFLICT => Err(ProcessorError::InProgress),
        "idempotency_error" => Err(ProcessorError::OtherRequest),
        _ if reason.is_unknown_card() => Ok(ChargeOutcome::Declined {
            decline_code: "invalid_token".to_owned(),
        }),
        _ => Err(ProcessorError::Refused(status)),
    }
}

/// Why the processor refused. A server that fails may answer anything, so its body is not read.
fn reason(status: StatusCode, body: &[u8]) -> Result<Reason, ProcessorError> {
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        read::<Refusal>(status, body).map(|refusal| refusal.error)
    } else {
        Err(ProcessorError::Failed(status))
    }
}

fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, ProcessorError> {
    serde_json::from_slice(body).map_err(|error| ProcessorError::Unreadable(status, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(status: u16, body: &str) -> Result<ChargeOutcome, ProcessorError> {
        read_charge(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    fn risk(status: u16, body: &str) -> Result<Risk, ProcessorError> {
        read_risk(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    fn declined(body: &str) -> String {
        match charge(402, body) {
            Ok(ChargeOutcome::Declined { decline_code }) => decline_code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_declined_card_has_the_most_exact_code_there_is() {
        assert_eq!(
            declined(
                r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"lost_card"}}"#
            ),
            "lost_card"
        );
        assert_eq!(
            declined(r#"{"error":{"type":"card_error","code":"expired_card"}}"#),
            "expired_card"
        );
        assert_eq!(
            declined(r#"{"error":{"type":"card_error"}}"#),
            "generic_decline"
        );
        assert_eq!(
            declined(r#"{"error":{"type":"card_error","code":"<b>"}}"#),
            "generic_decline"
        );
    }

    #[test]
    fn a_charge_says_what_happened_to_it() {
        let captured = ChargeOutcome::Captured {
            processor_charge_id: "ch_1".to_owned(),
        };
        assert_eq!(
            charge(200, r#"{"id":"ch_1","object":"charge"}"#).unwrap(),
            captured
        );
        let busy = r#"{"error":{"type":"idempotency_error"}}"#;
        assert!(matches!(charge(409, busy), Err(ProcessorError::InProgress)));
        assert!(matches!(
            charge(400, busy),
            Err(ProcessorError::OtherRequest)
        ));
        let key = r#"{"error":{"type":"invalid_request_error"}}"#;
        assert!(matches!(charge(401, key), Err(ProcessorError::Refused(_))));
        let no_card = r#"{"error":{"type":"invalid_request_error","code":"resource_missing"}}"#;
        assert!(
            matches!(charge(400, no_card), Ok(ChargeOutcome::Declined { decline_code }) if decline_code == "invalid_token")
        );
    }

    #[test]
    fn a_server_that_fails_may_answer_anything() {
        for body in ["", "<html>", r#"{"error":{"type":"card_error"}}"#] {
            assert!(matches!(charge(500, body), Err(ProcessorError::Failed(_))));
            assert!(matches!(risk(503, body), Err(ProcessorError::Failed(_))));
            assert!(matches!(charge(429, body), Err(ProcessorError::Failed(_))));
            assert!(matches!(charge(302, body), Err(ProcessorError::Failed(_))));
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_an_error() {
        for body in ["", "[]", "{}", r#"{"level":"unheard_of"}"#] {
            assert!(
                matches!(risk(200, body), Err(ProcessorError::Unreadable(..))),
                "{body}"
            );
            assert!(
                matches!(charge(200, body), Err(ProcessorError::Unreadable(..))),
                "{body}"
            );
            assert!(
                matches!(charge(402, body), Err(ProcessorError::Unreadable(..))),
                "{body}"
            );
        }
    }

    #[test]
    fn risk_is_a_level_or_an_unknown_card() {
        assert_eq!(
            risk(200, r#"{"score":1,"level":"normal"}"#).unwrap(),
            Risk::Normal
        );
        assert_eq!(
            risk(200, r#"{"score":70,"level":"elevated"}"#).unwrap(),
            Risk::Elevated
        );
        assert_eq!(
            risk(200, r#"{"score":99,"level":"highest"}"#).unwrap(),
            Risk::Highest
        );
        let no_card = r#"{"error":{"type":"invalid_request_error","code":"resource_missing"}}"#;
        assert_eq!(risk(400, no_card).unwrap(), Risk::UnknownCard);
    }
}
