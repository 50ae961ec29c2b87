// Moves slots between backends together: all or none.

import { BackendError, formatShape, type Backend, type Handle, type Slot } from '@convoke/core';

/**
 * Moves slots, and their gradients, to `backend`: all are copied, then switched in one synchronous step. If anything fails,
 * every slot is where it was. Throws a BackendError where a slot was given another value or disposed meanwhile, by a training
 * step, say: the copy is then of the value before.
 */
export async function moveSlots(slots: Iterable<Slot>, backend: Backend): Promise<void> {
  const given = [...slots];
  const withGradients = given.flatMap((slot) => (slot.grad ? [slot, slot.grad] : [slot]));
  const moving = [...new Set(withGradients)].filter((slot) => slot.backend !== backend);
  const originals = moving.map((slot) => slot.handleFor('to'));
  const values = await Promise.all(moving.map((slot) => slot.data()));
  const handles: Handle[] = [];
  try {
    moving.forEach(({ spec }, i) => handles.push(backend.upload(spec, values[i]!)));
    await backend.sync();
    const changed = moving.find((slot, i) => slot.disposed || slot.handle !== originals[i]);
    if (changed) {
      throw new BackendError(
        'backend-failed',
        `to: a ${changed.dtype} value of shape ${formatShape(changed.shape)} changed while it was copied to backend '${backend.name}', and nothing was moved; await the move before the next training step`,
      );
    }
  } catch (error) {
    for (const handle of handles) backend.release(handle);
    throw error;
  }
  moving.forEach((slot, i) => slot.moveTo(backend, handles[i]!));
}
