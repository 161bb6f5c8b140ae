//! Sessions for statements: connecting, and what their errors say.

mod connecting;
