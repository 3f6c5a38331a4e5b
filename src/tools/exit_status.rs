//! Exit statuses of the commands. Success is 0.

/// The command could not do its work. Standard error says why.
pub const FAILED: u8 = 1;

/// The server refused, its response could not be parsed, or a forbidden gap occurred.
pub const REFUSED: u8 = 1;

/// Data could not be written. Standard error says why.
pub const OUTPUT_FAILED: u8 = 1;

/// The arguments are invalid. Standard error says why.
pub const USAGE_ERROR: u8 = 2;

/// No usable response arrived in time.
pub const NO_RESPONSE: u8 = 3;

/// The command was ended by Ctrl-C: 128 plus the signal's number, as in shells.
pub const INTERRUPTED: u8 = 130;
