"use client";

import { useLayoutEffect, useState, type RefObject } from "react";

/** An element's width and height as they are, CSS pixels; 0 before it is there. */
export function useSize(element: RefObject<HTMLElement | null>): { readonly width: number; readonly height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const here = element.current;
    if (!here) return;
    const look = () =>
      setSize((was) => {
        const { clientWidth: width, clientHeight: height } = here;
        return was.width === width && was.height === height ? was : { width, height };
      });
    look();
    const observer = new ResizeObserver(look);
    observer.observe(here);
    return () => observer.disconnect();
  }, [element]);
  return size;
}
