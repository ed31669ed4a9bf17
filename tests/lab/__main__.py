# SPDX-License-Identifier: Apache-2.0
from .berth import lab_main

lab_main()
