//! The test tokens: each stands for a card with one outcome.

/// A card of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestToken {
    Visa,
    Mastercard,
    ChargeDeclined,
    InsufficientFunds,
    ExpiredCard,
    LostCard,
    ProcessorError,
    ChargeTimeout,
    RiskElevated,
    RiskUnavailable,
    RiskFlaky,
    Fraudulent,
}

/// What happens when the card is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChargeResult {
    Succeeds,
    Declines {
        code: &'static str,
        decline_code: &'static str,
        message: &'static str,
    },
    /// The processor itself fails.
    Fails,
    /// The charge succeeds, but nobody waits long enough to hear of it.
    Hangs,
}

/// What happens when the card's risk is assessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RiskResult {
    Score(u8),
    /// There is never an answer.
    Unavailable,
    /// The first question about an order fails, the next is answered.
    Flaky,
}

impl TestToken {
    pub(crate) const ALL: [(&'static str, Self); 12] = [
        ("tok_visa", Self::Visa),
        ("tok_mastercard", Self::Mastercard),
        ("tok_chargeDeclined", Self::ChargeDeclined),
        (
            "tok_chargeDeclinedInsufficientFunds",
            Self::InsufficientFunds,
        ),
        ("tok_chargeDeclinedExpiredCard", Self::ExpiredCard),
        ("tok_chargeDeclinedLostCard", Self::LostCard),
        ("tok_processorError", Self::ProcessorError),
        ("tok_chargeTimeout", Self::ChargeTimeout),
        ("tok_riskLevelElevated", Self::RiskElevated),
        ("tok_riskUnavailable", Self::RiskUnavailable),
        ("tok_riskFlaky", Self::RiskFlaky),
        ("tok_fraudulent", Self::Fraudulent),
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find_map(|(name, token)| (name == text).then_some(token))
    }

    pub(crate) fn charge_result(self) -> ChargeResult {
        let declined = "Your card was declined.";
        match self {
            Self::Visa
            | Self::Mastercard
            | Self::RiskElevated
            | Self::RiskUnavailable
            | Self::RiskFlaky => ChargeResult::Succeeds,
            Self::ChargeDeclined => ChargeResult::Declines {
                code: "card_declined",
                decline_code: "generic_decline",
                message: declined,
            },
            Self::InsufficientFunds => ChargeResult::Declines {
                code: "card_declined",
                decline_code: "insufficient_funds",
                message: "Your card has insufficient funds.",
            },
            Self::ExpiredCard => ChargeResult::Declines {
                code: "expired_card",
                decline_code: "expired_card",
                message: "Your card has expired.",
            },
            Self::LostCard => ChargeResult::Declines {
                code: "card_declined",
                decline_code: "lost_card",
                message: declined,
            },
            Self::Fraudulent => ChargeResult::Declines {
                code: "card_declined",
                decline_code: "fraudulent",
                message: declined,
            },
            Self::ProcessorError => ChargeResult::Fails,
            Self::ChargeTimeout => ChargeResult::Hangs,
        }
    }

    pub(crate) fn risk_result(self) -> RiskResult {
        match self {
            Self::Visa
            | Self::Mastercard
            | Self::ChargeDeclined
            | Self::InsufficientFunds
            | Self::ExpiredCard
            | Self::LostCard
            | Self::ProcessorError
            | Self::ChargeTimeout => RiskResult::Score(12),
            Self::RiskElevated => RiskResult::Score(68),
            Self::Fraudulent => RiskResult::Score(97),
            Self::RiskUnavailable => RiskResult::Unavailable,
            Self::RiskFlaky => RiskResult::Flaky,
        }
    }

    pub(crate) fn brand(self) -> &'static str {
        match self {
            Self::Mastercard => "mastercard",
            _ => "visa",
        }
    }

    pub(crate) fn last4(self) -> &'static str {
        match self {
            Self::Mastercard => "4444",
            Self::ChargeDeclined => "0002",
            Self::InsufficientFunds => "9995",
            Self::ExpiredCard => "0069",
            Self::LostCard => "9987",
            _ => "4242",
        }
    }
}

/// How risky a score is, in the processor's words.
pub(crate) fn risk_level(score: u8) -> &'static str {
    match score {
        0..65 => "normal",
        65..75 => "elevated",
        75.. => "highest",
    }
}
