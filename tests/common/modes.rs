//! Tests that run in each mode, each on its own, those with real processes in a sandbox.

/// Makes a test of each function for each mode.
macro_rules! in_each_mode {
    ($($name:ident,)*) => {
        mod simulated {
            $(#[test]
            fn $name() {
                super::$name(nodetree::Mode::Simulated);
            })*
        }

        mod threads {
            $(#[test]
            fn $name() {
                super::$name(nodetree::Mode::Threads);
            })*
        }

        mod process {
            $(#[test]
            fn $name() {
                $crate::sandbox::sandboxed!({ super::$name(nodetree::Mode::Process) });
            })*
        }

        /// The names of the functions.
        #[allow(dead_code, reason = "only where a table is held against it")]
        const IN_EACH_MODE: &[&str] = &[$(stringify!($name)),*];
    };
}
pub(crate) use in_each_mode;
