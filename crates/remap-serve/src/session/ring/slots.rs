//! Requests that a queue has, by the number it knows them by. It owns the numbers.

use crate::nbd::request::Request;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Slots {
    requests: Vec<Option<Request>>,
    free: Vec<usize>,
}

impl Slots {
    /// Keeps `request`; its number until it is removed.
    pub(super) fn insert(&mut self, request: Request) -> u64 {
        let index = self.free.pop().unwrap_or(self.requests.len());
        if index == self.requests.len() {
            self.requests.push(Some(request));
        } else {
            self.requests[index] = Some(request);
        }
        index as u64
    }

    /// The request of number `token`, which is there.
    pub(super) fn remove(&mut self, token: u64) -> Request {
        let index = token as usize;
        let request = self.requests.get_mut(index).and_then(Option::take);
        self.free.push(index);
        request.expect("a queue gives back each request once")
    }
}
