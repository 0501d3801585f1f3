/**
 * Under which names an HTTP client may ask for a host, as Envoy's virtual hosts want them: the name, the name with the listener's
 * port, and Istio's short forms of a name of Kubernetes.
 */

const kubernetesSuffix = ".svc.cluster.local";

/** Of one listener: Envoy refuses a domain that stands twice. */
export function routeDomains(
  hosts: readonly string[],
  port: number,
  namespace: string,
): ReadonlyMap<string, readonly string[]> {
  // A host that is written as it is stands before another's short form.
  const written = new Set(hosts);
  return new Map(
    hosts.map((host) => {
      const short = shortNames(host, namespace).filter((name) => !written.has(name));
      return [host, [host, ...short].flatMap((name) => [name, `${name}:${port}`])] as const;
    }),
  );
}

/** Those of Kubernetes that a client of the namespace may mean by it, if they are there: what `shortNames` are of. */
export function fullNames(short: string, namespace: string): readonly string[] {
  if (!short.includes(".")) return [`${short}.${namespace}${kubernetesSuffix}`];
  const whole = `${short}${kubernetesSuffix}`;
  return short.endsWith(".svc") ? [whole, `${short.slice(0, -4)}${kubernetesSuffix}`] : [whole];
}

export function shortNames(host: string, namespace: string): readonly string[] {
  if (!host.endsWith(kubernetesSuffix) || host.startsWith("*")) return [];
  const name = host.slice(0, -kubernetesSuffix.length);
  const dot = name.indexOf(".");
  if (dot < 0) return [];
  const isOwn = name.slice(dot + 1) === namespace;
  return [...(isOwn ? [name.slice(0, dot)] : []), name, `${name}.svc`];
}
