#!/usr/bin/env node
// The `convoke` command: finds the subcommand, and turns errors into one line and an exit status.

import { isConvokeError } from '@convoke/core';

import { classifyCommand } from './commands/classify.ts';
import { demo } from './commands/demo.ts';
import { golden } from './commands/golden.ts';
import { UsageError, type Command } from './command.ts';
import { endWithOutput } from './output.ts';

const commands: readonly Command[] = [demo, classifyCommand, golden];

const usage = `convoke: convolutional networks in TypeScript

Usage: convoke COMMAND [OPTIONS]

Commands:
${commands.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`).join('\n')}

convoke COMMAND --help tells a command's options.
`;

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(usage);
    return name === undefined ? 2 : 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (!command) {
    throw new UsageError(
      `unknown command '${name}'; there are ${commands.map((known) => known.name).join(', ')}`,
    );
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(command.usage);
    return 0;
  }
  return command.run(rest);
}

endWithOutput();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // A mistake of the user's is told in a line; anything else is a bug and keeps its stack.
  const interrupted = (error as { code?: string }).code === 'interrupted';
  const known = isConvokeError(error) || error instanceof UsageError || interrupted;
  process.stderr.write(
    `convoke: ${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`,
  );
  // 130 is what shells give for a command that Ctrl-C ended.
  process.exitCode = interrupted ? 130 : error instanceof UsageError ? 2 : 1;
}
