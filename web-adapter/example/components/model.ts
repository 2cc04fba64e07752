/** A model as people call it: without the provider before it. */
export const modelName = (model: string): string =>
  model === "offline" ? "Offline model" : (model.split("/").at(-1) ?? model);
