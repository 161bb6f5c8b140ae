//! The gate: transactions are held and go on, and nothing is cut or lost.

mod admin;
mod hold;
mod load;
mod misled;
mod move_over;
mod order;
mod two;
