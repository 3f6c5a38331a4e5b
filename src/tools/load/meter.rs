//! The cost of a period of time: the CPU time of the servers and of this process, and memory.

use std::fs;
use std::iter::Sum;
use std::time::{Duration, Instant};

use super::Process;

/// The counters at the start of a period.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    servers: Option<Duration>,
    client: Option<Duration>,
}

/// The cost of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The elapsed time.
    pub wall: Duration,
    /// The CPU time of all servers together; `None` if it is unknown.
    pub server_cpu: Option<Duration>,
    /// The CPU time of this process; `None` if it is unknown.
    pub client_cpu: Option<Duration>,
}

impl Meter {
    /// Starts a period. `servers` are the processes of the server; none means that they are
    /// unknown.
    pub fn start(servers: &[Process]) -> Self {
        // The clock is read last, because reading /proc is not part of the measurement.
        let (servers, client) = (cpu_time(servers), Process::own().cpu_time().ok());
        Self { start: Instant::now(), servers, client }
    }

    /// Returns the cost since the start, for the same processes.
    pub fn stop(&self, servers: &[Process]) -> Cost {
        let wall = self.start.elapsed();
        let since = |before: Option<Duration>, now: Option<Duration>| now?.checked_sub(before?);
        let client_cpu = since(self.client, Process::own().cpu_time().ok());
        Cost { wall, server_cpu: since(self.servers, cpu_time(servers)), client_cpu }
    }
}

fn cpu_time(servers: &[Process]) -> Option<Duration> {
    sum(servers, |server| server.cpu_time().ok())
}

/// Returns the servers' user-space memory in bytes; `None` if it is unknown.
pub fn user_memory(servers: &[Process]) -> Option<u64> {
    sum(servers, |server| server.memory().ok())
}

/// Returns the sum over all servers; `None` if there are none, or one cannot be read.
fn sum<T: Sum>(servers: &[Process], of: impl Fn(Process) -> Option<T>) -> Option<T> {
    if servers.is_empty() { None } else { servers.iter().map(|server| of(*server)).sum() }
}

/// Returns the kernel memory of the whole machine in bytes: its slabs (proc(5), `/proc/meminfo`),
/// and the pages in socket buffers (`mem` of TCP in `/proc/net/sockstat`). `None` on other systems
/// than Linux.
pub fn kernel_memory() -> Option<u64> {
    let slab = slab(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(slab + socket_pages(&fs::read_to_string("/proc/net/sockstat").ok()?)? * PAGE)
}

/// The size of a page in bytes. On a kernel with another page size, the socket buffers are wrong by
/// that factor.
const PAGE: u64 = 4096;

fn slab(meminfo: &str) -> Option<u64> {
    let kibibytes = meminfo.lines().find_map(|line| line.strip_prefix("Slab:"))?;
    Some(kibibytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn socket_pages(sockstat: &str) -> Option<u64> {
    let mut words = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?.split_whitespace();
    words.find(|word| *word == "mem")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_kernels_tables() {
        assert_eq!(slab("MemTotal: 1 kB\nSlab:             103020 kB\n"), Some(103_020 << 10));
        assert_eq!(slab("MemTotal: 1 kB\n"), None);
        let table = "sockets: used 89\nTCP: inuse 6 orphan 0 tw 2 alloc 7 mem 13\nUDP: inuse 1 mem 2\n";
        assert_eq!(socket_pages(table), Some(13));
        assert_eq!(socket_pages("TCP: inuse 6\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_unknown_cost_is_not_zero() {
        let meter = Meter::start(&[Process::own(), Process::own()]);
        let cost = meter.stop(&[Process::own(), Process::own()]);
        assert!(cost.server_cpu.is_some() && cost.client_cpu.is_some());
        assert_eq!(Meter::start(&[]).stop(&[]).server_cpu, None);
        let missing = [Process::new(u32::MAX)];
        assert_eq!(Meter::start(&missing).stop(&missing).server_cpu, None);
        assert!(kernel_memory().is_some_and(|bytes| bytes > 0));
    }
}
