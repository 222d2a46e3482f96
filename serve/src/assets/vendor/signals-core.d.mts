// The part of signals-core that the pages use.

/** Value whose readers run again when it changes. */
export interface Signal<T> {
  value: T;
  /** Returns the value without becoming a reader. */
  peek(): T;
}
export function signal<T>(value: T): Signal<T>;
export function computed<T>(compute: () => T): { readonly value: T; peek(): T };
/** Runs a function now, and again when a value that it read has changed. */
export function effect(run: () => void): () => void;
/** Changes several values; readers run again once. */
export function batch<T>(change: () => T): T;
/** Runs a function without becoming a reader. */
export function untracked<T>(run: () => T): T;
