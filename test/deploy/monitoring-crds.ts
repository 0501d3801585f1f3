/**
 * The Prometheus operator's definitions, as far as the chart uses them, strict about the rest: no package registry has the whole ones.
 * By its API reference, `monitoring.coreos.com/v1`.
 */

import type { Manifest } from "./chart.ts";

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: "string" };
const texts: Schema = { type: "object", additionalProperties: text };

function list(items: Schema): Schema {
  return { type: "array", items };
}

function object(properties: Readonly<Record<string, Schema>>, ...required: string[]): Schema {
  return { type: "object", properties, ...(required.length > 0 && { required }) };
}

const duration: Schema = { type: "string", pattern: "^(0|(([0-9]+)(ms|s|m|h|d|w|y))+)$" };

const rule: Schema = object(
  {
    alert: text,
    expr: { "x-kubernetes-int-or-string": true },
    for: duration,
    labels: texts,
    annotations: texts,
  },
  "expr",
);

const endpoint: Schema = object({ port: text, path: text, interval: duration });

export const monitoringCrds: readonly Manifest[] = [
  definition("PrometheusRule", {
    groups: list(object({ name: { ...text, minLength: 1 }, rules: list(rule) }, "name")),
  }),
  definition("ServiceMonitor", {
    selector: object({ matchLabels: texts }),
    namespaceSelector: object({ matchNames: list(text) }),
    endpoints: list(endpoint),
  }),
];

function definition(kind: string, spec: Readonly<Record<string, Schema>>): Manifest {
  const singular = kind.toLowerCase();
  const openAPIV3Schema = object({ spec: object(spec) }, "spec");
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${singular}s.monitoring.coreos.com`,
    },
    spec: {
      group: "monitoring.coreos.com",
      names: { kind, singular, plural: `${singular}s`, listKind: `${kind}List` },
      scope: "Namespaced",
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}
