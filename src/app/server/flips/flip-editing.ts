/** When a flip's object is to be written, and what keeps it from that. */

import type { FlipWait } from "../../../core/flip/flip-wait.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import type { ObjectSays } from "../../../core/flip/object-says.ts";
import type { FlipEvents } from "../../../edge/telemetry/flip-events.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import type { FlipEdits } from "./flip-edits.ts";
import type { Looked } from "./look-pace.ts";

interface FlipEditingDependencies {
  readonly edits: FlipEdits;
  readonly events: FlipEvents;
  readonly configuration: Pick<FlipConfiguration, "writtenSequence">;
}

export class FlipEditing {
  readonly #dependencies: FlipEditingDependencies;
  /** Why it was not written the last time; "" where it was. */
  #problem = "";
  /** In the log. */
  #said = "";

  constructor(dependencies: FlipEditingDependencies) {
    this.#dependencies = dependencies;
  }

  /** Where it cannot be written, it is tried again later. */
  async makeDue(flip: Flip, object: ObjectSays): Promise<Looked> {
    this.#problem = "";
    const due = this.#dueOf(flip, object);
    if (due === undefined) return "done";
    const { configuration } = this.#dependencies;
    const before = configuration.writtenSequence;
    try {
      await due();
      if (configuration.writtenSequence !== before) return "again";
      this.#problem = "another object says it, too";
    } catch (error) {
      const { message } = error instanceof Error ? error : { message: String(error) };
      const of = { flip: flip.id, target: flip.target.text };
      if (message !== this.#said) this.#dependencies.events.notEdited(of, error);
      this.#said = message;
      this.#problem = message;
    }
    return "failed";
  }

  explained(waits: readonly FlipWait[]): readonly FlipWait[] {
    if (this.#problem === "") return waits;
    return waits.map((each) =>
      each.kind === "object" ? { ...each, detail: `${each.detail}: ${this.#problem}` } : each,
    );
  }

  #dueOf(flip: Flip, object: ObjectSays): (() => Promise<void>) | undefined {
    const { edits } = this.#dependencies;
    const { state, edit } = flip;
    if (!edit.isOurs) return undefined;
    if (state.kind === "editing") {
      const isDue = object === "before" && state.isWritten !== true;
      return isDue ? () => edits.toStrict(flip) : undefined;
    }
    if (state.kind !== "reverting" || object === "before" || object === "other") return undefined;
    const { cause } = state;
    // By itself in nobody's name: whoever began it may be asleep.
    return () => edits.back(flip, cause.kind === "operator" ? cause.operator : "");
  }
}
