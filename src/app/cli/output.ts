/** `-o table|json|yaml`: one value, for people or for programs. */

import type { Context } from "./command.ts";

/** The flag, for the table of a verb that has output. */
export const outputFlag = {
  output: {
    type: "string",
    short: "o",
    valueName: "FORMAT",
    help: "output format",
    choices: ["table", "json", "yaml"],
    default: "table",
  },
} as const;

export type OutputFormat = (typeof outputFlag.output.choices)[number];

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** @param table the same for people, made only when it is asked for */
export async function writeOutput(
  context: Context,
  format: OutputFormat,
  value: JsonValue,
  table: () => string,
): Promise<void> {
  context.stdout.write(await formatOutput(format, value, table));
}

/** NO_COLOR (no-color.org) and dumb terminals are respected. */
export function wantsColour({ isTty, env }: Pick<Context, "env" | "isTty">): boolean {
  return isTty && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

async function formatOutput(
  format: OutputFormat,
  value: JsonValue,
  table: () => string,
): Promise<string> {
  switch (format) {
    case "table":
      return table();
    case "json":
      return `${JSON.stringify(value, undefined, 2)}\n`;
    case "yaml": {
      const { formatYaml } = await import("../../edge/config/yaml.ts");
      return formatYaml(value);
    }
    default:
      return format satisfies never;
  }
}

/** Of a terminal; undefined where lines may be as long as they are. */
export function tableWidth({
  isTty,
  columns,
}: Pick<Context, "isTty" | "columns">): number | undefined {
  return isTty ? columns : undefined;
}
