//! Idempotent replay: a key belongs to one request, and asking again gives the answer of the
//! first time. The newest keys are remembered, so that the sandbox can run for weeks.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{answer::Answer, charges::ChargeRequest};

/// More than the shop makes within the time that it may ask again.
const MAX_KEYS: usize = 10_000;

/// What is known of a key.
pub(crate) enum Lookup {
    /// Nobody used it yet: it is claimed now.
    New(Claim),
    /// The answer of the first time.
    Known(Answer),
    /// The first request is not answered yet.
    InUse,
    /// The key belongs to another request.
    OtherRequest,
}

#[derive(Default)]
pub(crate) struct Replay {
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    by_name: HashMap<String, Entry>,
    /// Answered keys, the oldest first.
    answered: VecDeque<String>,
}

struct Entry {
    request: ChargeRequest,
    answer: Option<Answer>,
}

impl Replay {
    pub(crate) fn look_up(self: &Arc<Self>, key: &str, request: &ChargeRequest) -> Lookup {
        let mut keys = self.lock();
        match keys.by_name.get(key) {
            Some(entry) if entry.request != *request => Lookup::OtherRequest,
            Some(Entry {
                answer: Some(answer),
                ..
            }) => Lookup::Known(answer.clone()),
            Some(_) => Lookup::InUse,
            None => {
                keys.by_name.insert(
                    key.to_owned(),
                    Entry {
                        request: request.clone(),
                        answer: None,
                    },
                );
                Lookup::New(Claim {
                    replay: Arc::clone(self),
                    key: Some(key.to_owned()),
                })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        // Every change is complete before the lock is given back.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to answer for a key. Dropped without an answer, the key is free again: what
/// never reached the processor was not decided.
pub(crate) struct Claim {
    replay: Arc<Replay>,
    key: Option<String>,
}

impl Claim {
    pub(crate) fn answer(mut self, answer: &Answer) {
        let Some(key) = self.key.take() else { return };
        let mut keys = self.replay.lock();
        if let Some(entry) = keys.by_name.get_mut(&key) {
            entry.answer = Some(answer.clone());
        }
        keys.answered.push_back(key);
        if keys.answered.len() > MAX_KEYS
            && let Some(oldest) = keys.answered.pop_front()
        {
            keys.by_name.remove(&oldest);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.replay.lock().by_name.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    fn request(amount: &str) -> ChargeRequest {
        let form = [
            ("amount", amount),
            ("currency", "eur"),
            ("source", "tok_visa"),
        ];
        ChargeRequest::parse(
            form.map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
        .unwrap()
    }

    fn claim(replay: &Arc<Replay>, key: &str) -> Claim {
        match replay.look_up(key, &request("100")) {
            Lookup::New(claim) => claim,
            _ => panic!("{key} should be new"),
        }
    }

    #[test]
    fn a_key_that_was_given_up_is_free_again() {
        let replay = Arc::<Replay>::default();
        let first = claim(&replay, "key");
        assert!(matches!(
            replay.look_up("key", &request("100")),
            Lookup::InUse
        ));
        assert!(matches!(
            replay.look_up("key", &request("200")),
            Lookup::OtherRequest
        ));
        drop(first);
        drop(claim(&replay, "key"));
    }

    #[test]
    fn the_oldest_keys_are_forgotten_and_the_memory_is_bounded() {
        let replay = Arc::<Replay>::default();
        let answer = Answer::json(StatusCode::OK, &"charged");
        for n in 0..=MAX_KEYS {
            claim(&replay, &n.to_string()).answer(&answer);
        }
        assert_eq!(replay.lock().by_name.len(), MAX_KEYS);
        assert!(
            matches!(replay.look_up("1", &request("100")), Lookup::Known(known) if known == answer)
        );
        drop(claim(&replay, "0"));
    }
}
