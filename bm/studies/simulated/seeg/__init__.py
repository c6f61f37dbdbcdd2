"""Mode `seeg`: words spoken by people with depth electrodes."""
