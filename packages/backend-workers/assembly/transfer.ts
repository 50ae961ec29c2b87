// Between the caller and the engine: bytes that travel in a command, and word that a place in the stream was reached.

// @ts-ignore: decorator
@external('env', 'notice')
declare function announce(token: i32): void;

// @kernel
// Calls the worker's `notice(token)`: all commands before this one have run. Arguments: token.
export function notice(a: usize, chunk: i32): void {
  announce(load<i32>(a));
}

// @kernel
// Bytes that stand in the command itself. Arguments: to, bytes, data...
export function write(a: usize, chunk: i32): void {
  memory.copy(load<u32>(a), a + 8, load<u32>(a, 4));
}
