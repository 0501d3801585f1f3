/** What is wrong with a configuration, or weaker than it looks: for people and for programs. */

import type { Finding } from "../../core/policy/finding.ts";
import { refWords } from "../../core/resources/resource.ts";
import { wantsColour, type JsonValue } from "./output.ts";
import { formatTable } from "./table.ts";
import type { Context } from "./command.ts";

export interface LocatedFinding extends Finding {
  /** `FILE:LINE`; "" where it is not known. */
  readonly origin: string;
}

export function findingValue(finding: LocatedFinding): JsonValue {
  const { ref, severity, code, origin, path, text, hint } = finding;
  const object = ref === undefined ? null : { ...ref };
  return { severity, code, object, origin, path, text, hint };
}

export function findingTable(
  all: readonly LocatedFinding[],
  context: Pick<Context, "env" | "isTty">,
): string {
  const headers = ["severity", "code", "where", "object", "path", "finding"];
  const rows = all.map(({ ref, severity, code, origin, path, text, hint }) => [
    { text: severity, colour: severity === "error" ? ("red" as const) : ("yellow" as const) },
    code,
    origin,
    ref === undefined ? "" : refWords(ref),
    path,
    hint === "" ? text : `${text}; ${hint}`,
  ]);
  const columns = headers.map((header) => ({ header }));
  return formatTable(columns, rows, { colour: wantsColour(context) });
}
