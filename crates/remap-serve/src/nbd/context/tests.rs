use super::*;

#[test]
fn a_full_name_means_its_context_for_both_purposes() {
    for context in Context::ALL {
        let only = ContextSet::NONE.with(context);
        assert_eq!(matching(context.name(), Purpose::List), Some(only));
        assert_eq!(matching(context.name(), Purpose::Select), Some(only));
    }
}

#[test]
fn an_empty_leaf_means_the_namespace_only_when_listing() {
    assert_eq!(matching("base:", Purpose::List), Some(ContextSet::NONE.with(Context::Allocation)));
    assert_eq!(matching("dm-remap:", Purpose::List), Some(ContextSet::NONE.with(Context::Mapping)));
    assert_eq!(matching("base:", Purpose::Select), Some(ContextSet::NONE));
    assert_eq!(matching("dm-remap:", Purpose::Select), Some(ContextSet::NONE));
}

#[test]
fn unknown_namespaces_and_leaves_mean_nothing() {
    for query in ["qemu:dirty-bitmap:x", "base:dirty", "dm-remap:mappin", "bas:"] {
        assert_eq!(matching(query, Purpose::List), Some(ContextSet::NONE), "{query}");
        assert_eq!(matching(query, Purpose::Select), Some(ContextSet::NONE), "{query}");
    }
}

#[test]
fn a_query_without_namespace_is_none() {
    for query in ["", "base", ":allocation", ":"] {
        assert_eq!(matching(query, Purpose::List), None, "{query}");
    }
}

#[test]
fn numbers_of_contexts_are_unique_and_not_zero() {
    assert_eq!(Context::ALL.map(Context::id), [1, 2]);
    assert!(ContextSet::ALL.iter().eq(Context::ALL));
}
