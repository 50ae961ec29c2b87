// Runs a command of the repo on a bare checkout: node scripts/run.mjs COMMAND [ARGS...]
// Needs only the Node and npm of the machine. npx fetches the pinned pnpm; the root's devDependency `node` brings the Node
// that everything else runs on. Tools report on stderr, so that stdout is the command's own.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const env = {
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
  CONVOKE_SHARED: resolve(root, process.env.CONVOKE_SHARED ?? '../shared'),
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
};

function run(command, args, options = {}) {
  const shell = process.platform === 'win32';
  const { status } = spawnSync(command, args, {
    cwd: root,
    env,
    shell,
    stdio: ['inherit', 2, 2],
    ...options,
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** The program behind each command: the package that builds it, and what it is called with. */
function program(command) {
  if (command === 'bench') return { app: 'bench', words: [] };
  if (command === 'bench:web') return { app: 'bench', words: ['web'] };
  if (command === 'bench:peers') return { app: 'bench', words: ['peers'] };
  return { app: 'cli', words: [command] };
}

const [command, ...args] = process.argv.slice(2);
run('npx', ['--yes', packageManager, 'install', '--frozen-lockfile']);
if (command === 'tasks') run('turbo', ['run', ...args], { stdio: 'inherit' });
else {
  const { app, words } = program(command);
  run('turbo', ['run', 'build', `--filter=@convoke/${app}...`]);
  // Not through turbo: it would swallow flags, prefix lines and hide the terminal.
  const cwd = process.env.INIT_CWD ?? process.cwd();
  const main = join(root, 'apps', app, 'dist/main.js');
  run('node', [main, ...words, ...args], { cwd, stdio: 'inherit' });
}
