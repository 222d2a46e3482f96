// What the server sends about a table.

export interface Description {
  /** Address of the page. */
  address: string;
  version: string;
  rows: number;
  columns: Column[];
  /** Other tables whose columns are added, as the address has them. */
  with: string;
  /** Column whose values identify the rows for verdicts. */
  key: string | null;
  /** True if the page can change verdicts. */
  writes: boolean;
}

/** Verdict on a row. */
export interface Line {
  key: string;
  verdict: "exclude" | "include";
  reason: string;
  author: string;
  time: string;
}

/** Change of a verdict: the one before, and the one after it. */
export interface Change {
  key: string;
  seen: Line | null;
  new: Line | null;
}

/** Verdict that another program wrote. */
export interface Conflict {
  key: string;
  seen: Line | null;
  found: Line | null;
}

export interface Verdicts {
  file: string;
  key: string;
  lines: Line[];
  /** Reasons of exclusions, the most frequent first. */
  reasons: string[];
}

export interface NextRun {
  sentence: string;
  stages: { stage: string; rows: string }[];
}

export interface SinceCommit {
  file: string;
  committed: boolean;
  changes: Change[];
}

/** Another table whose columns can be added. */
export interface Other {
  name: string;
  /** The name as it is written in addresses. */
  term: string;
  columns: string[];
}

export interface Column {
  name: string;
  type: string;
  shown: "number" | "text" | "image" | "unread";
  /** Other table that has the column. */
  from?: string;
}

/** Text, a rounded number and the exact one, or a missing value. */
export type Cell = string | [string, string] | null;

export interface Row {
  /** Position in the table. */
  row: number;
  /** Key of the row for verdicts. */
  key?: string;
  /** Values of the columns of numbers and texts. */
  cells: Cell[];
}

export interface Rows {
  total: number;
  rows: Row[];
  /** Version of the verdicts with which the rows were selected. */
  verdicts: string;
  problem?: string;
}

export interface Histogram {
  name: string;
  /** The name as it is written in conditions. */
  term: string;
  bars:
    | { of: "numbers"; ends: string[]; all: number[]; selected: number[] }
    | { of: "categories"; names: string[]; terms: string[]; all: number[]; selected: number[]; others: number }
    | { of: "texts" }
    | { of: "empty" }
    | { of: "failed"; why: string };
  missing: [number, number];
}
