/**
 * Manifests of Istio 1.0, and of what came later -> today's: policies by services, other objects in today's version and spelling, and a
 * line for whatever is lost on the way.
 */

import type { PolicyObject } from "../../../core/resources/policy-object.ts";
import { isJsonMap, type Json, type JsonMap } from "../manifest.ts";
import { readMetadata } from "../metadata.ts";
import { formatPath, Place, type Note, type Path } from "../place.ts";
import { readObject } from "../read-object.ts";
import { itemsOf, parseYamlDocuments, YamlError } from "../yaml-documents.ts";
import { readAlphaPolicy } from "./alpha-policy.ts";
import { camelCased } from "./camel-case.ts";
import { carryPolicies, type Carried, type FoundPolicy } from "./carry-policies.ts";
import { KnownServices } from "./known-services.ts";

export interface ImportText {
  readonly name: string;
  readonly text: string;
}

export interface Import {
  readonly carried: readonly Carried[];
  /** `FILE:LINE: TEXT` */
  readonly lost: readonly string[];
}

export function importIstio(texts: readonly ImportText[], rootNamespace: string): Import {
  const importing = new Importing();
  for (const each of texts) importing.add(each);
  return importing.finish(rootNamespace);
}

type Locate = (path: Path) => string;

class Importing {
  readonly #services = new KnownServices();
  readonly #entries: PolicyObject[] = [];
  readonly #policies: FoundPolicy[] = [];
  readonly #others: Carried[] = [];
  readonly #lost: string[] = [];

  add({ name, text }: ImportText): void {
    for (const document of parseYamlDocuments(text)) {
      if (document instanceof YamlError) {
        this.#lose(`${name}:${document.line}`, document.message);
        continue;
      }
      for (const { path, value } of itemsOf(document.value)) {
        this.#addObject(value, (at) => `${name}:${document.lineOf([...path, ...at])}`);
      }
    }
  }

  finish(rootNamespace: string): Import {
    // Kubernetes' own Services have said more.
    for (const each of this.#entries) {
      if (each.kind === "ServiceEntry") this.#services.addEntry(each.object);
    }
    const lose = (origin: string, text: string): void => this.#lose(origin, text);
    const policies = carryPolicies(inOrder(this.#policies), this.#services, rootNamespace, lose);
    return { carried: [...policies, ...this.#others], lost: this.#lost };
  }

  #addObject(value: Json, locate: Locate): void {
    const map: JsonMap = isJsonMap(value) ? value : {};
    const { apiVersion, kind } = map;
    if (apiVersion === "v1" && kind === "Service") this.#services.addService(map);
    else if (apiVersion === "authentication.istio.io/v1alpha1") this.#addPolicy(map, locate);
    else this.#addOther(value, locate);
  }

  #addPolicy({ kind, metadata, spec }: JsonMap, locate: Locate): void {
    const origin = locate([]);
    const isMesh = kind === "MeshPolicy";
    if (!isMesh && kind !== "Policy") {
      this.#lose(origin, `expected Policy or MeshPolicy, got ${JSON.stringify(kind)}`);
      return;
    }
    const notes: Note[] = [];
    const place = new Place(notes);
    const head = readMetadata("PeerAuthentication", metadata, place.child("metadata"));
    const policy = readAlphaPolicy(camelCased(spec ?? {}), place.child("spec"));
    if (this.#tell(notes, locate)) return;
    const { ref: name, createdMs } = head.resource;
    this.#policies.push({ ...policy, name, metadata: head.metadata, createdMs, origin, isMesh });
  }

  #addOther(value: Json, locate: Locate): void {
    const notes: Note[] = [];
    const read = readObject(modern(value), new Place(notes));
    if (this.#tell(notes, locate) || read === undefined) return;
    this.#entries.push(read.object);
    this.#others.push({ manifest: read.manifest, from: [locate([])] });
  }

  /** @returns whether it cannot be carried over at all */
  #tell(notes: readonly Note[], locate: Locate): boolean {
    for (const { path, text, severity, hint } of notes) {
      const left = severity === "error" ? "; the object is left out" : "";
      const what = `${formatPath(path)}: ${text}${hint === "" ? "" : `; ${hint}`}${left}`;
      this.#lose(locate(path), what);
    }
    return notes.some(({ severity }) => severity === "error");
  }

  #lose(origin: string, text: string): void {
    this.#lost.push(`${origin}: ${text}`);
  }
}

/** The oldest first, where ages are written. */
function inOrder(policies: readonly FoundPolicy[]): readonly FoundPolicy[] {
  const ageOf = ({ createdMs = Number.MAX_SAFE_INTEGER }: FoundPolicy): number => createdMs;
  return policies.toSorted((a, b) => ageOf(a) - ageOf(b));
}

function modern(value: Json): Json {
  if (!isJsonMap(value)) return value;
  const { spec, ...rest } = value;
  return spec === undefined ? value : { ...rest, spec: camelCased(spec) };
}
