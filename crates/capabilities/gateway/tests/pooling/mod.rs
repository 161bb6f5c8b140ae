//! One server for many clients: nothing of one is seen by another.

mod hand_over;
mod versions;
