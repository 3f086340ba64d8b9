//! Metadata contexts: what a client can ask block status about, and the queries that select them.
//! It owns their names, numbers and status bits; what the status of a place is, the caller knows.
//!
//! `base:allocation` is the specification's. `dm-remap:mapping` is ours: it tells where data lives.

/// Status bit of `base:allocation`: not allocated (specification, "`base:allocation` metadata context").
pub const ALLOCATION_HOLE: u32 = 1 << 0;
/// Status bit of `base:allocation`: reads as zeroes.
pub const ALLOCATION_ZERO: u32 = 1 << 1;

/// Status of `dm-remap:mapping` with no bit set: the data lives on the main device.
pub const MAPPING_MAIN: u32 = 0;
/// Status bit of `dm-remap:mapping`: the data lives on a spare.
pub const MAPPING_MOVED: u32 = 1 << 0;
/// Status bit of `dm-remap:mapping`: the data is lost, reading fails until it is written again.
pub const MAPPING_LOST: u32 = 1 << 1;

/// A kind of block status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Context {
    /// `base:allocation`: holes and zeroes.
    Allocation = 0,
    /// `dm-remap:mapping`: main, moved or lost.
    Mapping = 1,
}

impl Context {
    /// All, in the order they are listed.
    pub const ALL: [Self; 2] = [Self::Allocation, Self::Mapping];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allocation => "base:allocation",
            Self::Mapping => "dm-remap:mapping",
        }
    }

    /// The number that stands for it in block status replies: the same in every connection.
    pub const fn id(self) -> u32 {
        self as u32 + 1
    }
}

/// Which contexts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContextSet(u8);

impl ContextSet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Every one.
    pub const ALL: Self = Self(0b11);

    /// These and `context`.
    #[must_use]
    pub const fn with(self, context: Context) -> Self {
        Self(self.0 | 1 << context as u8)
    }

    /// Whether `context` is one of them.
    pub const fn contains(self, context: Context) -> bool {
        self.0 & (1 << context as u8) != 0
    }

    /// Those in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One after the other, in the order they are listed.
    pub fn iter(self) -> impl Iterator<Item = Context> {
        Context::ALL.into_iter().filter(move |context| self.contains(*context))
    }
}

/// What a query is for: a namespace with nothing behind its colon means all of it, but only when listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `NBD_OPT_LIST_META_CONTEXT`.
    List,
    /// `NBD_OPT_SET_META_CONTEXT`.
    Select,
}

/// The contexts that `query` means; none where it names something not known. `None` where it has no
/// namespace before a colon, which is no query at all.
pub fn matching(query: &str, purpose: Purpose) -> Option<ContextSet> {
    let (namespace, leaf) = query.split_once(':')?;
    if namespace.is_empty() {
        return None;
    }
    let mut found = ContextSet::NONE;
    for context in Context::ALL {
        let whole_namespace = purpose == Purpose::List
            && leaf.is_empty()
            && context.name().split_once(':').is_some_and(|(own, _)| own == namespace);
        if whole_namespace || context.name() == query {
            found = found.with(context);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests;
