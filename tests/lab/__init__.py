# SPDX-License-Identifier: Apache-2.0
"""A private host to run Berth on: containerd, a registry, images, the control plane and agents.

Used by the demo, the end-to-end tests and the benchmarks. Everything lives under one temporary directory and on loopback
ports that were free a moment ago; nothing of the machine's own containerd or registry is touched.
"""
