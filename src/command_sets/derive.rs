//! `Clone`, `Debug` and `PartialEq` for the enums that are generic over a command set.

/// Writes the three impls for an enum over `C: CommandSet`. The standard `derive` would ask them of `C` too, which
/// is the state of a node and need not be comparable. A tuple variant is written with the numbers of its fields.
macro_rules! derive_for_any_set {
    ($name:ident { $( $variant:ident $( { $( $at:tt: $field:ident ),* } )? ),* $(,)? }) => {
        impl<C: $crate::command_sets::CommandSet> Clone for $name<C> {
            fn clone(&self) -> Self {
                match self {
                    $( Self::$variant $( { $( $at: $field ),* } )? =>
                        Self::$variant $( { $( $at: $field.clone() ),* } )?, )*
                }
            }
        }

        impl<C: $crate::command_sets::CommandSet> ::std::fmt::Debug for $name<C> {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self {
                    $( Self::$variant $( { $( $at: $field ),* } )? =>
                        f.debug_struct(stringify!($variant)) $( $( .field(stringify!($at), $field) )* )? .finish(), )*
                }
            }
        }

        impl<C: $crate::command_sets::CommandSet> PartialEq for $name<C> {
            #[allow(clippy::unit_cmp)]
            fn eq(&self, other: &Self) -> bool {
                match self {
                    $( Self::$variant $( { $( $at: $field ),* } )? => {
                        let mine = ( $( $( $field, )* )? );
                        match other {
                            Self::$variant $( { $( $at: $field ),* } )? => mine == ( $( $( $field, )* )? ),
                            _ => false,
                        }
                    } )*
                }
            }
        }
    };
}

pub(crate) use derive_for_any_set;
