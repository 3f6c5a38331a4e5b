//! 16. Game: binary messages, 60 per second, to the players who keep up.
//!
//! A game needs no log, because nobody wants a position that is a second old. The server sends the
//! positions directly to each WebSocket, except to a player whose last message still waits. So a
//! player who does not read fills the buffers of the kernel, but costs the server no memory.
//!
//! ```console
//! $ cargo run --example 16_game
//! listening on http://127.0.0.1:8016
//! ```
//!
//! Open <http://127.0.0.1:8016> in two windows. Move your dot with the arrow keys, or hold the
//! mouse or a finger on the field. The page shows how many messages arrive per second: 60.
//!
//! The server sends the player's number in a text message, and then 60 binary messages per second.
//! All numbers are little-endian:
//!
//! | bytes | of the server's message |
//! | --- | --- |
//! | 0 to 3 | the number of the tick |
//! | 4 to 5 | the number of a player |
//! | 6 to 9 | the position of this player: x and y, from 0 to 65535 |
//! | 10 … | the next player, and so on |
//!
//! | bytes | of the page's message, which it sends when the direction changes |
//! | --- | --- |
//! | 0 | the speed to the right, signed: 127 is the full speed |
//! | 1 | the speed down, signed |
//!
//! **Break it:** add `std::thread::sleep(Duration::from_millis(25));` to `tick`. There is only one
//! thread, so both pages show at most 40 messages per second, and all else waits too. `App::every`
//! leaves out the ticks that were missed, so the game becomes slower, but it does not lag.
//!
//! Left out: the page draws the newest message. A real game also draws the time between messages,
//! and moves the player's own dot before the server has answered.
//!
//! `cargo run --example 16_game -- 8090` selects another port. If the port is taken, the program
//! prints `cannot listen` and exits with status 1.

use std::collections::HashMap;
use std::time::Duration;

use barewire::app::{App, Context, Message, Request, Response, Socket, SocketId};
use barewire::server::Options;

const TICK: Duration = Duration::from_nanos(16_666_667);
/// The distance per tick at full speed: across the field in two seconds.
const SPEED: i32 = 546;

struct Player {
    number: u16,
    /// From 0 to 65535.
    position: [i32; 2],
    /// From -127 to 127.
    direction: [i8; 2],
}

#[derive(Default)]
struct Game {
    tick: u32,
    joined: u16,
    players: HashMap<SocketId, Player>,
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8016, |port| port.parse().expect("a port number"));
    let player = Socket::<Game, _>::open(join).message(steer).closed(|cx, socket, ()| {
        cx.state.players.remove(&socket);
    });
    let bound = App::new(Game::default())
        .file("/", "text/html; charset=utf-8", include_str!("pages/16.html"))
        .socket("/play", player)
        .every(TICK, tick)
        .bind(Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() })?;
    println!("listening on http://{}", bound.local_addr());
    bound.run()
}

fn join(cx: &mut Context<'_, Game>, socket: SocketId, _: &Request<'_>) -> Result<(), Response> {
    cx.state.joined = cx.state.joined.wrapping_add(1);
    let number = cx.state.joined;
    // Multiples of the golden ratio spread the players over the field.
    let x = i32::from(number.wrapping_mul(40_503));
    let y = i32::from(number.wrapping_mul(17_623));
    cx.state.players.insert(socket, Player { number, position: [x, y], direction: [0, 0] });
    cx.send(socket, Message::Text(&number.to_string()));
    Ok(())
}

fn steer(cx: &mut Context<'_, Game>, socket: SocketId, (): &mut (), message: Message<'_>) {
    if let Message::Binary(&[x, y]) = message
        && let Some(player) = cx.state.players.get_mut(&socket)
    {
        player.direction = [x as i8, y as i8];
    } else {
        cx.close(socket, 1003, "a direction is two bytes");
    }
}

/// Moves all players, and sends their positions.
fn tick(cx: &mut Context<'_, Game>) {
    let game = &mut *cx.state;
    game.tick = game.tick.wrapping_add(1);
    let mut message = game.tick.to_le_bytes().to_vec();
    for player in game.players.values_mut() {
        message.extend(player.number.to_le_bytes());
        for (place, speed) in player.position.iter_mut().zip(player.direction) {
            *place = (*place + i32::from(speed) * SPEED / 127).clamp(0, 65_535);
            message.extend((*place as u16).to_le_bytes());
        }
    }
    let sockets: Vec<SocketId> = game.players.keys().copied().collect();
    for socket in sockets {
        if cx.queued(socket) == 0 {
            cx.send(socket, Message::Binary(&message));
        }
    }
}
