/**
 * Tiles (C2SP tlog-tiles, of height 8): the tree in pieces of 256 hashes that never change once they are full. Which tile a
 * hash is in, what a tile is called, how wide it is.
 */

import { LogError } from "./log-error.ts";
import { HASH_BYTES, nodeHash } from "./merkle.ts";

const TILE_HEIGHT = 8;
export const TILE_WIDTH = 256;
const LEVEL_MAX = 63;
const ENTRY_LENGTH_BYTES = 2;

/** A tile of hashes, or a bundle of entries. */
export interface TileName {
  readonly kind: "hashes" | "entries";
  /** 0 for entries. */
  readonly level: number;
  readonly index: number;
  /** 1 to 256; a tile of less is partial. */
  readonly width: number;
}

/** `count` hashes of a tile, a power of two; folded they are one node of the tree. */
export interface TileSpan {
  readonly level: number;
  readonly index: number;
  readonly start: number;
  readonly count: number;
}

/** Where the root of the complete subtree number `index` of 2^`level` leaves comes from. */
export function tileSpan(level: number, index: number): TileSpan {
  const count = 2 ** (level % TILE_HEIGHT);
  const first = index * count;
  return {
    level: Math.floor(level / TILE_HEIGHT),
    index: Math.floor(first / TILE_WIDTH),
    start: first % TILE_WIDTH,
    count,
  };
}

/** How wide a tile is in a tree of `size`: 0 where it is not there, 256 where it is full. */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}

/**
 * The root over hashes that lie one after the other: a tile, or what `tileSpan` names of one.
 * @throws LogError `log-tree-invalid` unless they are a power of two
 */
export function foldHashes(hashes: Uint8Array): Uint8Array {
  const count = hashes.length / HASH_BYTES;
  if (!Number.isInteger(Math.log2(count))) {
    throw new LogError("log-tree-invalid", `expected a power of two of hashes, got ${count}`);
  }
  if (count === 1) return hashes;
  const middle = hashes.length / 2;
  return nodeHash(foldHashes(hashes.subarray(0, middle)), foldHashes(hashes.subarray(middle)));
}

/** As in `tile/0/x001/x234/067.p/5` and `tile/entries/000`. */
export function tilePath({ kind, level, index, width }: TileName): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
  const elements = padded.match(/\d{3}/g) ?? [];
  const path = [...elements.slice(0, -1).map((each) => `x${each}`), ...elements.slice(-1)];
  const suffix = width === TILE_WIDTH ? "" : `.p/${width}`;
  return `tile/${kind === "entries" ? kind : level}/${path.join("/")}${suffix}`;
}

/** @throws LogError `log-tile-path-invalid` unless it is exactly what `tilePath` makes */
export function parseTilePath(path: string): TileName {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path);
  const [, level = "", elements = "", width = String(TILE_WIDTH)] = match ?? [];
  const name: TileName = {
    kind: level === "entries" ? "entries" : "hashes",
    level: level === "entries" ? 0 : Number(level),
    index: Number(elements.replaceAll(/\D/g, "")),
    width: Number(width),
  };
  const isInRange =
    name.level <= LEVEL_MAX &&
    Number.isSafeInteger(name.index) &&
    name.width >= 1 &&
    name.width <= TILE_WIDTH;
  if (match === null || !isInRange || tilePath(name) !== path) {
    throw new LogError("log-tile-path-invalid", `expected the path of a tile, got ${quote(path)}`);
  }
  return name;
}

/** Entries with a length of two octets before each. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  const parts = entries.flatMap((entry) => {
    const length = Buffer.alloc(ENTRY_LENGTH_BYTES);
    length.writeUInt16BE(entry.length);
    return [length, entry];
  });
  return Buffer.concat(parts);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
