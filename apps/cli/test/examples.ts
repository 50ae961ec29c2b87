// The runnable examples of a Markdown file, and what their comments promise.

/** The code of every ```ts block. */
export function examplesIn(markdown: string): string[] {
  return [...markdown.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
}

/** What an example says it prints: the comments after `console.log(...);`. */
export function promisesIn(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map(([, promised]) => promised!);
}
