/** What lists and events say of a kind -> its cache: each object read at once to a small value, and what it came as dropped. */

import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import { ObjectCache, type ObjectChange } from "../../../core/kube/object-cache.ts";
import { nameKey, type ResourceName } from "../../../core/resources/resource.ts";
import type { WatchedKind } from "./reflector-options.ts";
import type { WatchEvent } from "./watch-event.ts";

export class ObjectFeed<T extends KubeObject> {
  readonly cache: ObjectCache<T> = new ObjectCache();
  readonly #parse: WatchedKind<T>["parse"];
  #unreadable = 0;

  constructor({ parse }: WatchedKind<T>) {
    this.#parse = parse;
  }

  /** Since the last list. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** A list counts when it is whole: nothing of it is taken before. @returns what has changed */
  async replace(pages: AsyncIterable<readonly JsonObject[]>): Promise<readonly ObjectChange<T>[]> {
    const objects: T[] = [];
    const unread = new Set<string>();
    for await (const page of pages) {
      for (const raw of page) {
        const object = this.#parse(raw);
        if (object === undefined) unread.add(nameKey(nameOf(raw)));
        else objects.push(object);
      }
    }
    this.#unreadable = unread.size;
    return this.cache.replace(objects, unread);
  }

  take(events: readonly WatchEvent[]): readonly ObjectChange<T>[] {
    return events.flatMap(({ type, object }) => {
      if (type === "BOOKMARK") return [];
      if (type === "DELETED") return this.cache.delete(nameOf(object));
      const parsed = this.#parse(object);
      if (parsed !== undefined) return this.cache.set(parsed);
      this.#unreadable++;
      return [];
    });
  }
}

function nameOf({ metadata }: JsonObject): ResourceName {
  const { namespace, name } = isJsonObject(metadata) ? metadata : {};
  return {
    namespace: typeof namespace === "string" ? namespace : "",
    name: typeof name === "string" ? name : "",
  };
}
