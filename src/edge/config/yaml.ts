/**
 * YAML 1.2 in and out, and nothing that only YAML has: no aliases, no tags, no duplicate keys, one
 * document.
 */

import { parseDocument, stringify } from "yaml";

/** @throws SyntaxError with line and column */
export function parseYaml(text: string): unknown {
  const document = parseDocument(text, { schema: "core", uniqueKeys: true, prettyErrors: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const [at] = problem.linePos ?? [];
    const [reason = ""] = problem.message.split(/ at line |\n/);
    throw new SyntaxError(
      at === undefined ? reason : `line ${at.line}, column ${at.col}: ${reason}`,
    );
  }
  try {
    // An alias can make a small file an immense value.
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw new SyntaxError("expected no aliases", { cause: error });
  }
}

export function formatYaml(value: unknown): string {
  return stringify(value, { aliasDuplicateObjects: false });
}
