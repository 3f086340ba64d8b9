//! Events on their way to whoever wants to know. What happens before there is a listener is kept, a little of it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use remap_core::port::Event;

use super::shared::lock;

/// Who is told of events, on the recovery thread: it should be quick about it.
pub type EventSink = Box<dyn Fn(&Event) + Send + Sync>;

/// How many events are kept for a listener that comes late: the first ones.
const KEPT: usize = 256;

#[derive(Default)]
struct State {
    sink: Option<Arc<EventSink>>,
    early: VecDeque<Event>,
}

/// See the module.
#[derive(Default)]
pub struct Events {
    state: Mutex<State>,
}

impl Events {
    /// Tells the listener.
    pub fn tell(&self, event: Event) {
        let sink = {
            let mut state = lock(&self.state);
            if state.sink.is_none() && state.early.len() < KEPT {
                state.early.push_back(event);
            }
            state.sink.clone()
        };
        if let Some(sink) = sink {
            sink(&event);
        }
    }

    /// Replaces the listener; a first one is told what it missed.
    pub fn listen(&self, sink: EventSink) {
        let sink = Arc::new(sink);
        let early = {
            let mut state = lock(&self.state);
            state.sink = Some(Arc::clone(&sink));
            std::mem::take(&mut state.early)
        };
        for event in &early {
            sink(event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
