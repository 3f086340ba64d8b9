//! loom's atomics, with loads that conflict with each other.
//!
//! loom 0.7 remembers of each atomic only who accessed it last. A writer that loads a cell before it stores to
//! it hides the reader who came before, and the order in which the reader comes after is never tried. Each
//! load here is preceded by a relaxed read-modify-write of a second atomic: it orders nothing, conflicts with
//! that of every other load, and so makes loom try all orders. What values a load may see stays the atomic's
//! own business.

use loom::sync::atomic::{self, Ordering};

macro_rules! traced {
    ($($name:ident, $value:ty;)*) => { $(
        /// An atomic whose loads conflict.
        #[derive(Debug)]
        pub struct $name {
            value: atomic::$name,
            trace: atomic::AtomicU8,
        }

        impl $name {
            /// An atomic that holds `value`.
            pub fn new(value: $value) -> Self {
                Self { value: atomic::$name::new(value), trace: atomic::AtomicU8::new(0) }
            }

            /// As of the standard library.
            pub fn load(&self, order: Ordering) -> $value {
                self.trace.fetch_add(0, Ordering::Relaxed);
                self.value.load(order)
            }

            /// As of the standard library.
            pub fn store(&self, value: $value, order: Ordering) {
                self.value.store(value, order);
            }

            /// As of the standard library.
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.value.fetch_add(value, order)
            }

            /// As of the standard library.
            pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                self.value.fetch_or(value, order)
            }
        }
    )* };
}

traced! {
    AtomicU8, u8;
    AtomicU32, u32;
    AtomicU64, u64;
}
