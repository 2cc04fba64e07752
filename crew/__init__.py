"""The crew's side of the sidecar: the only package that imports crewai.

It runs as separate processes (`python -m crew.zygote`, `crew.worker`, `crew.synthetic`, `crew.run`)
and knows of the gateway nothing but the vocabulary in `sidecar.channel`.
"""
