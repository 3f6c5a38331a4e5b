//! Request methods (RFC 9110 §9).

/// Declares each method once, as a variant and as a token.
macro_rules! methods {
    ($($name:ident = $token:literal;)*) => {
        /// A request method (RFC 9110 §9, RFC 5789). Methods are case-sensitive.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Method<'b> {
            $(#[doc = concat!("`", $token, "`.")]
            $name,)*
            /// Any other token. The response to an unknown method is 501, not 405 (RFC 9110 §9.1).
            Unknown(&'b str),
        }

        impl<'b> Method<'b> {
            pub(super) fn from_token(token: &'b str) -> Self {
                match token {
                    $($token => Self::$name,)*
                    _ => Self::Unknown(token),
                }
            }

            /// Returns the token.
            pub fn as_str(self) -> &'b str {
                match self {
                    $(Self::$name => $token,)*
                    Self::Unknown(token) => token,
                }
            }
        }
    };
}

methods! {
    Get = "GET";
    Head = "HEAD";
    Post = "POST";
    Options = "OPTIONS";
    Put = "PUT";
    Delete = "DELETE";
    Patch = "PATCH";
    Trace = "TRACE";
    Connect = "CONNECT";
}
