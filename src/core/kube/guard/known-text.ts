/** How those whose ports become strict can be asked for, as an operator would write it. */

import { shortestText } from "../../flip/resolve-target.ts";
import type { FlipTarget } from "../../flip/target.ts";
import { labelsKey } from "../../policy/labels.ts";
import type { MeshView } from "../../policy/mesh-view.ts";

/** By an object that selects just these. @returns undefined where there is none */
export function knownText(view: MeshView, target: FlipTarget): string | undefined {
  const { namespace, name, selector } = target;
  if (name === "") return namespace;
  const key = labelsKey(new Map(Object.entries(selector)));
  const services = view.objects.services.filter(
    ({ ref, workloadSelector: its }) => ref.namespace === namespace && labelsKey(its) === key,
  );
  const texts = [
    `${namespace}/${name}`,
    `${namespace}/peerauthentication/${name}`,
    ...services.flatMap(({ ref: { name, standsFor } }) =>
      standsFor === undefined
        ? [`${namespace}/${name}`, `${namespace}/serviceentry/${name}`]
        : [`${namespace}/${standsFor.name}`, `${namespace}/service/${standsFor.name}`],
    ),
  ];
  return texts.map((text) => shortestText(view, text, target)).find((found) => found !== target)
    ?.text;
}
