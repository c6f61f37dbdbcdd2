"""Mode `background`: normal and abnormal resting recordings of several caps."""
