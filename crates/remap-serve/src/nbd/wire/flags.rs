//! The flag fields of the wire as types: of the handshake, of an export, of a command.
//! It owns the bits and their names; it may not decide which of them are offered.

/// A set of named bits.
macro_rules! flag_set {
    ($(#[$doc:meta])* $name:ident: $int:ty { $($(#[$flag_doc:meta])* $flag:ident = $bit:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name($int);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: Self = Self(1 << $bit);)*
            /// No bit.
            pub const NONE: Self = Self(0);

            /// The set with exactly these bits, named or not.
            pub const fn from_bits(bits: $int) -> Self {
                Self(bits)
            }

            /// The bits as they stand on the wire.
            pub const fn bits(self) -> $int {
                self.0
            }

            /// Whether every bit of `other` is set here.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The bits of both.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The bits of `self` that `other` does not have.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether no bit is set.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }
    };
}

flag_set! {
    /// What the server's greeting offers (specification, "Handshake flags").
    HandshakeFlags: u16 {
        /// `NBD_FLAG_FIXED_NEWSTYLE`: options get replies.
        FIXED_NEWSTYLE = 0;
        /// `NBD_FLAG_NO_ZEROES`: the padding behind `NBD_OPT_EXPORT_NAME` can be left out.
        NO_ZEROES = 1;
    }
}

flag_set! {
    /// What the client answers to the greeting ("Client flags").
    ClientFlags: u32 {
        /// `NBD_FLAG_C_FIXED_NEWSTYLE`: the client understands replies to options.
        FIXED_NEWSTYLE = 0;
        /// `NBD_FLAG_C_NO_ZEROES`: leave the padding out.
        NO_ZEROES = 1;
    }
}

flag_set! {
    /// What can be done with an export ("Transmission flags").
    TransmissionFlags: u16 {
        /// `NBD_FLAG_HAS_FLAGS`: always set.
        HAS_FLAGS = 0;
        /// `NBD_FLAG_READ_ONLY`.
        READ_ONLY = 1;
        /// `NBD_FLAG_SEND_FLUSH`.
        FLUSH = 2;
        /// `NBD_FLAG_SEND_FUA`.
        FUA = 3;
        /// `NBD_FLAG_ROTATIONAL`: a disk with heads that move.
        ROTATIONAL = 4;
        /// `NBD_FLAG_SEND_TRIM`.
        TRIM = 5;
        /// `NBD_FLAG_SEND_WRITE_ZEROES`.
        WRITE_ZEROES = 6;
        /// `NBD_FLAG_SEND_DF`: an unfragmented read can be asked for. Only with structured replies.
        DONT_FRAGMENT = 7;
        /// `NBD_FLAG_CAN_MULTI_CONN`: a flush on one connection covers the writes of all.
        MULTI_CONN = 8;
        /// `NBD_FLAG_SEND_CACHE`.
        CACHE = 10;
        /// `NBD_FLAG_SEND_FAST_ZERO`.
        FAST_ZERO = 11;
    }
}

flag_set! {
    /// What a request asks for beside its command ("Command flags").
    CommandFlags: u16 {
        /// `NBD_CMD_FLAG_FUA`: durable before the reply.
        FUA = 0;
        /// `NBD_CMD_FLAG_NO_HOLE`: zeroes must be allocated.
        NO_HOLE = 1;
        /// `NBD_CMD_FLAG_DF`: the data of a read in one chunk.
        DONT_FRAGMENT = 2;
        /// `NBD_CMD_FLAG_REQ_ONE`: one extent for each context.
        REQ_ONE = 3;
        /// `NBD_CMD_FLAG_FAST_ZERO`: fail rather than write zeroes as data.
        FAST_ZERO = 4;
    }
}

flag_set! {
    /// About a structured reply chunk ("Structured reply flags").
    ChunkFlags: u16 {
        /// `NBD_REPLY_FLAG_DONE`: the last chunk of a reply.
        DONE = 0;
    }
}

#[cfg(test)]
mod tests;
