mod asking;
mod marker;
mod schedule;
mod talk;
