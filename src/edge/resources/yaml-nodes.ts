/** Nodes of a YAML document: where each stands, and what stands at a path. */

import { isMap, isPair, isScalar, isSeq, type Node, type Pair } from "yaml";

import type { Path } from "./place.ts";

export interface Located {
  /** Of the key that `path` ends with, or of the nearest one above it. */
  lineOf(path: Path): number;
  /** Characters of the value at `path`. */
  sizeOf(path: Path): number;
}

export function locating(root: Node | null, lineAt: (offset: number) => number): Located {
  return {
    lineOf: (path) => lineAt(find(root, path).offset),
    sizeOf: (path) => {
      const [start = 0, end = 0] = rangeOf(find(root, path).node) ?? [];
      return end - start;
    },
  };
}

function find(root: Node | null, path: Path): { readonly node: unknown; readonly offset: number } {
  let node: unknown = root;
  let offset = offsetOf(root);
  for (const key of path) {
    const next = isSeq(node) ? node.items[Number(key)] : entryOf(node, String(key));
    if (next === undefined) break;
    offset = offsetOf(isPair(next) ? next.key : next);
    node = isPair(next) ? next.value : next;
  }
  return { node, offset };
}

function entryOf(node: unknown, key: string): Pair | undefined {
  if (!isMap(node)) return undefined;
  return node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

export function hasTag(node: unknown): boolean {
  return (isScalar(node) || isMap(node) || isSeq(node)) && node.tag !== undefined;
}

export function offsetOf(node: unknown): number {
  return rangeOf(node)?.[0] ?? 0;
}

function rangeOf(node: unknown): readonly number[] | undefined {
  if (typeof node !== "object" || node === null || !("range" in node)) return undefined;
  return Array.isArray(node.range) ? node.range : undefined;
}
