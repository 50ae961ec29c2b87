// What happens where the output can no longer be written.

/**
 * Ends the process when its output is closed or fails: quietly where the reader has left, as in `bench kernels | head`, with
 * the status that shells give for it (141); else with a line and 1.
 */
export function endWithOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141);
    process.stderr.write(`bench: cannot write to standard output: ${error.message}\n`);
    process.exit(1);
  });
  process.stderr.on('error', () => process.exit(1));
}
