/** All objects of a resource, page by page, as they are at one resource version. */

import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import type { WatchedKind } from "./reflector-options.ts";

const pageDeadlineMs = 30_000;

export class ListPages {
  readonly #connection: KubeConnection;
  readonly #path: string;
  readonly #fieldSelector: string | undefined;
  readonly #limit: number;
  #resourceVersion = "";

  /** @param limit of a page */
  constructor(
    connection: KubeConnection,
    { path, fieldSelector }: Pick<WatchedKind<KubeObject>, "path" | "fieldSelector">,
    limit: number,
  ) {
    this.#connection = connection;
    this.#path = path;
    this.#fieldSelector = fieldSelector;
    this.#limit = limit;
  }

  /** Of the whole list, once it has come: from where a watch goes on. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /** @throws KubeError `kube-gone` where the API server has forgotten the list between two pages; the reason of the signal */
  async *read(signal: AbortSignal): AsyncGenerator<readonly JsonObject[], void, void> {
    let continued = "";
    do {
      const query = new URLSearchParams({ limit: `${this.#limit}` });
      if (this.#fieldSelector !== undefined) query.set("fieldSelector", this.#fieldSelector);
      if (continued !== "") query.set("continue", continued);
      const path = `${this.#path}?${query.toString()}`;
      const answer = await this.#connection.send({ path, deadlineMs: pageDeadlineMs, signal });
      const { items, metadata } = isJsonObject(answer) ? answer : {};
      const { resourceVersion, continue: next = "" } = isJsonObject(metadata) ? metadata : {};
      // What is no list must never pass for a list of nothing. Go writes null for that.
      const objects = items === null ? [] : items;
      const isList = Array.isArray(objects) && objects.every(isJsonObject);
      if (!isList || typeof resourceVersion !== "string" || typeof next !== "string") {
        const message = `GET ${this.#path}: expected a list, got something else`;
        throw new KubeError("kube-answer", message);
      }
      this.#resourceVersion = resourceVersion;
      yield objects;
      continued = next;
    } while (continued !== "");
  }
}
