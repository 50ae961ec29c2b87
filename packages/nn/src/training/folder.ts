// Checkpoints in a folder, on Node:
//   state.json           what a run must remember, and which tensor file goes with it
//   step-N.safetensors   the model's and the optimiser's tensors after N steps
//   best.safetensors     the model's weights after the best epoch
// state.json is replaced last and atomically; so a process killed at any moment leaves the save before whole.

import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { DataError } from '@convoke/core';
import { readSafetensors, saveSafetensors, writeFileAtomic } from '@convoke/weights/node';

import type { Checkpoint, CheckpointStore, HostTensors, TrainingState } from './checkpoint.ts';

const STATE_FILE = 'state.json';
const TENSOR_FILE = /^step-\d+\.safetensors$/;

interface StateFile {
  readonly tensors: string;
  readonly state: TrainingState;
}

/** What a killed process may leave of a save. */
const UNFINISHED = /^\.(state\.json|(step-\d+|best)\.safetensors|\.writable-\d+)\..+\.tmp$/;

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** As `mkdir` with `recursive`, which on Linux never returns below a folder such as /proc that takes none. */
async function makeFolders(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    const parent = dirname(folder);
    if (codeOf(error) !== 'ENOENT' || parent === folder || (await exists(parent))) throw error;
    await makeFolders(parent);
    await makeFolders(folder);
  }
}

/** Makes `folder` where it is missing. Throws a DataError where nothing can be written in it. */
export async function prepareFolder(folder: string): Promise<void> {
  const probe = join(folder, `.writable-${process.pid}`);
  try {
    await makeFolders(resolve(folder));
    await writeFileAtomic(probe, new Uint8Array(0));
    await rm(probe, { force: true });
  } catch (error) {
    throw new DataError(
      `cannot write in the folder ${resolve(folder)}: ${reasonOf(error)}. Choose a folder that can be written`,
      { cause: error },
    );
  }
}

function parseState(text: string, path: string): StateFile {
  let parsed: Partial<StateFile> | null;
  try {
    parsed = JSON.parse(text) as Partial<StateFile> | null;
  } catch (error) {
    throw new DataError(
      `${path} is not JSON: ${reasonOf(error)}. Delete the folder to start afresh`,
      { cause: error },
    );
  }
  const { tensors, state } = parsed ?? {};
  if (typeof tensors !== 'string' || !TENSOR_FILE.test(tensors) || state?.version !== 1) {
    throw new DataError(
      `${path} is not a checkpoint of this version of Convoke; delete the folder to start afresh`,
    );
  }
  return { tensors, state };
}

async function removeAll(folder: string, outdated: (name: string) => boolean): Promise<void> {
  const names = (await readdir(folder)).filter(outdated);
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

/** A store of checkpoints in `folder`, which is made where it is missing. */
export function checkpointFolder(folder: string): CheckpointStore {
  const statePath = join(folder, STATE_FILE);
  return {
    async prepare(): Promise<void> {
      await prepareFolder(folder);
      await removeAll(folder, (name) => UNFINISHED.test(name));
    },

    async save({ state, tensors }: Checkpoint): Promise<void> {
      const file = `step-${state.step}.safetensors`;
      await saveSafetensors(join(folder, file), tensors, { step: String(state.step) });
      const content: StateFile = { tensors: file, state };
      await writeFileAtomic(
        statePath,
        new TextEncoder().encode(`${JSON.stringify(content, null, 1)}\n`),
      );
      await removeAll(folder, (name) => TENSOR_FILE.test(name) && name !== file);
    },

    async saveBest(model: HostTensors, record): Promise<void> {
      await saveSafetensors(join(folder, 'best.safetensors'), model, {
        epoch: String(record.epoch + 1),
      });
    },

    async load(): Promise<Checkpoint | null> {
      let text: string;
      try {
        text = await readFile(statePath, 'utf8');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null;
        throw new DataError(`cannot read ${resolve(statePath)}: ${reasonOf(error)}`, {
          cause: error,
        });
      }
      const { tensors, state } = parseState(text, resolve(statePath));
      const file = await readSafetensors(join(folder, tensors));
      return { state, tensors: file.tensors };
    },
  };
}
