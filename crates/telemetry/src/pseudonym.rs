//! Standing in for a person's id in telemetry.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of the digest that are kept: 64 bits tell apart the buyers of any shop, and
/// 16 hex digits still fit on a screen.
const KEPT_BYTES: usize = 8;

/// A stable stand-in for `id`, for `enduser.pseudo.id`: the same id gives the same 16
/// hex digits, and nobody without `key` can go back by trying ids.
///
/// A plain hash would not do: e-mail addresses and account numbers are few enough to
/// be tried out. Keep the key out of telemetry and change it to forget everybody.
///
/// ```
/// let buyer = telemetry::pseudonym(b"a secret of this deployment", "customer-81");
/// assert_eq!(buyer.len(), 16);
/// ```
pub fn pseudonym(key: &[u8], id: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104)");
    mac.update(id.as_bytes());
    hex::encode(&mac.finalize().into_bytes()[..KEPT_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_and_key_give_the_same_stand_in() {
        assert_eq!(pseudonym(b"key", "jo"), pseudonym(b"key", "jo"));
    }

    #[test]
    fn another_id_or_another_key_gives_another_stand_in() {
        assert_ne!(pseudonym(b"key", "jo"), pseudonym(b"key", "jim"));
        assert_ne!(pseudonym(b"key", "jo"), pseudonym(b"other", "jo"));
    }

    #[test]
    fn it_is_hmac_sha256_as_published() {
        // RFC 4231, test case 2, first eight bytes.
        assert_eq!(
            pseudonym(b"Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e"
        );
    }
}
