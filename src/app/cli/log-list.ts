/** A list of any length, written as it comes: a page of it is in memory, and the whole never is. */

import type { Context } from "./command.ts";
import { jsonLine } from "./log-line.ts";
import type { JsonValue, OutputFormat } from "./output.ts";
import { formatTable, type Cell, type Column } from "./table.ts";

export class ListWriter {
  readonly #context: Pick<Context, "stdout">;
  readonly #format: OutputFormat;
  readonly #columns: readonly Column[];
  readonly #colour: boolean;
  #count = 0;

  constructor(
    context: Pick<Context, "stdout">,
    format: OutputFormat,
    columns: readonly Column[],
    colour: boolean,
  ) {
    this.#context = context;
    this.#format = format;
    this.#columns = columns;
    this.#colour = colour;
  }

  /** @param row the same for people */
  async page<Value extends JsonValue>(
    values: readonly Value[],
    row: (value: Value) => readonly Cell[],
  ): Promise<void> {
    if (values.length === 0) return;
    this.#context.stdout.write(await this.#text(values, row));
    this.#count += values.length;
  }

  /** @param none what people read of an empty list */
  end(none: string): void {
    if (this.#format === "json") this.#context.stdout.write(this.#count === 0 ? "[]\n" : "\n]\n");
    else if (this.#count === 0) {
      this.#context.stdout.write(this.#format === "yaml" ? "[]\n" : `${none}\n`);
    }
  }

  async #text<Value extends JsonValue>(
    values: readonly Value[],
    row: (value: Value) => readonly Cell[],
  ): Promise<string> {
    switch (this.#format) {
      case "json":
        return `${this.#count === 0 ? "[\n" : ",\n"}${values.map((each) => `  ${jsonLine(each)}`).join(",\n")}`;
      case "yaml": {
        const { formatYaml } = await import("../../edge/config/yaml.ts");
        return formatYaml(values);
      }
      case "table": {
        const table = formatTable(this.#columns, values.map(row), { colour: this.#colour });
        return this.#count === 0 ? table : table.slice(table.indexOf("\n") + 1);
      }
      default:
        return this.#format satisfies never;
    }
  }
}
